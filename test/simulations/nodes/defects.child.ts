import { tell } from './stage.ts'

await tell({ nodes: 3 }, {}, async ({ nodes, pass, until }) => {
  await until(async () => {
    await nodes[0]?.ask(async () => {
      setTimeout(() => {
        throw new Error('a timer failed')
      }, 10)
      return await Promise.resolve()
    })
  })
  await pass(1)
  await until(async () => {
    await nodes[1]?.ask(async () => {
      void Promise.reject(new Error('nobody waits for this'))
      return await Promise.resolve()
    })
  })
  await pass(1)
  return { states: nodes.map(({ state }) => state) }
})
