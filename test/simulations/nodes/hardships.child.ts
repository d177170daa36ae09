import { world } from '../../../simulations/world/world.ts'
import { tell } from './stage.ts'

await tell(
  { nodes: 4, clocks: { skewMs: 500, driftPpm: 100 } },
  {},
  async ({ nodes, pass, until, announce, holdings }) => {
    const [first, second, third, fourth] = nodes
    if (first === undefined || second === undefined || third === undefined || fourth === undefined) return null
    await pass(10)
    const clockErrorMs = (): Promise<number> =>
      until(() => third.ask(async () => await Promise.resolve(Date.now() - world.time.nowUs / 1_000)))
    const ownErrorMs = await clockErrorMs()
    const ids = [await announce(0, 'at-rest')]
    first.crash({ power: true })
    const afterCrash = first.state
    ids.push(await announce(1, 'one-is-off'))
    second.crash({ power: false })
    third.pause()
    const paused = third.state
    const answer = third.ask((node) => node.status()).then(() => 'answered')
    fourth.disk.setFull(true)
    await pass(5)
    const refused = await until(() =>
      fourth
        .ask((node) => node.seal({ namespace: 'sim:main', batchId: 'x', receipts: [{}] }))
        .then(
          () => 'done',
          (error: unknown) => (error as { code: string }).code
        )
    )
    fourth.disk.setFull(false)
    third.resume()
    await until(async () => {
      await Promise.all([first.boot(), second.boot()])
    })
    await pass(5)
    ids.push(await announce(3, 'there-is-room-again'))
    third.setClock({ skewMs: 60_000, driftPpm: 0 })
    ids.push(await announce(2, 'a-minute-ahead'))
    const aheadMs = (await clockErrorMs()) - ownErrorMs
    third.setClock(null)
    // Up to what a clock drifts in so short a time.
    const isClockAsDrawn = aheadMs > 50_000 && Math.abs((await clockErrorMs()) - ownErrorMs) < 20
    await until(() => third.stop())
    const stopped = third.state
    third.loseDisk()
    await until(() => third.boot())
    await pass(90)
    const left = await until(async () => await Promise.race([answer, Promise.resolve('waits')]))
    return {
      afterCrash,
      paused,
      refused,
      stopped,
      left,
      isClockAsDrawn,
      holdings: await holdings(ids),
      states: nodes.map(({ state }) => state)
    }
  }
)
