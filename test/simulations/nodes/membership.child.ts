import { tell } from './stage.ts'

await tell(
  { nodes: 3 },
  { strangers: [2], late: [2] },
  async ({ nodes, governance, pass, until, announce, holdings }) => {
    const [first, second, third] = nodes
    if (first === undefined || second === undefined || third === undefined) return null
    await pass(10)
    const ids = [await announce(0, 'before')]
    await until(() => third.boot())
    await pass(70)
    const whileStrange = await holdings(ids)
    // Of those who are told, one has no room to write it down and one is about to stop.
    first.disk.setFull(true)
    await until(async () => {
      await Promise.all([second.stop(), governance.admit([third])])
    })
    await pass(10)
    first.disk.setFull(false)
    await until(() => second.boot())
    await pass(70)
    ids.push(await announce(2, 'a-member-now'))
    await pass(5)
    const admitted = await holdings(ids)
    second.crash({ power: true })
    const revoking = until(async () => {
      const revoked = governance.revoke(second)
      await second.boot()
      await revoked
    })
    await revoking
    await pass(5)
    ids.push(await announce(1, 'under-another-key'))
    await pass(70)
    const keys = await until(() =>
      Promise.all(
        nodes.map(async (node) => {
          const { rows } = await node.ask((running) => running.query('trust-anchors', {}))
          return rows
            .map(({ kid, status }) => `${kid === second.signer.kid ? 'old' : 'new'} ${JSON.stringify(status)}`)
            .sort()
        })
      )
    )
    second.crash({ power: true })
    await until(() => second.boot())
    await pass(70)
    ids.push(await announce(1, 'under-it-after-a-crash'))
    await pass(10)
    const kids = await until(() =>
      second.ask(async (node) => (await node.signers()).signers.find(({ signing }) => signing)?.kid)
    )
    return { whileStrange, admitted, keys, isOther: kids !== second.signer.kid, holdings: await holdings(ids) }
  }
)
