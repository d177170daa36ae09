import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadScenario } from '../../../simulations/run/load.ts'
import { newFolder } from '../../support/cli.ts'
import { TINY, containing, written } from './tiny.ts'

const LINKS = 'from,to\n0,1\n1,2\n'
const LATENCY = 'from,to,latency_ms\n0,1,20\n'

const inFolder = (links: string, latency: string, convergence = 'required'): string => {
  const folder = newFolder()
  written(folder, 'links.csv', links)
  written(folder, 'latency.csv', latency)
  const text = TINY.replace('kind: full', 'kind: file, path: links.csv')
  return written(folder, 'x.yaml', `${text}linkMatrix: latency.csv\nconvergence: ${convergence}\n`)
}

describe('the files that a scenario names', () => {
  test.each([
    ['as they should be', LINKS, LATENCY],
    [
      'as a spreadsheet saves them',
      `\uFEFF${LINKS.replaceAll('\n', '\r\n')}`,
      `\uFEFF${LATENCY.replaceAll('\n', '\r\n')}`
    ],
    ['with comments, other columns and empty lines', `# measured\nwhen,to,from\n\n-,1,0\n-,2,1\n`, LATENCY],
    ['with all that a link can have', LINKS, 'from,to,latency_ms,bandwidth_mbps,loss\n0,1,1.5,10,0.01\n1,0,3,,\n']
  ])('%s', async (_what, links, latency) => {
    await expect(loadScenario(inFolder(links, latency))).resolves.toMatchObject({
      files: { 'links.csv': links, 'latency.csv': latency }
    })
  })

  test.each([
    ['another column', 'a,to\n0,1\n', LATENCY, 'links.csv:1:1: there is no column from, but a,to'],
    ['semicolons', 'from;to\n0;1\n', LATENCY, 'links.csv:1:1: there is no column from, but from;to'],
    ['nothing', '', LATENCY, 'links.csv:1:1: the first line must name the columns: from,to'],
    ['a node that is not there', 'from,to\n0,1\n1,3\n', LATENCY, 'links.csv:3:1: nodes are numbered from 0 to 2'],
    ['a node by itself', 'from,to\n0,1\n', LATENCY, 'links.csv:1:1: node 2 has no way to node 0'],
    ['no number', LINKS, `${LATENCY}1,2,NaN\n`, 'latency.csv:3:1: latency_ms is NaN, but must be a number from 0'],
    [
      'a latency below 0',
      LINKS,
      `${LATENCY}1,2,-5\n`,
      'latency.csv:3:1: latency_ms is -5, but must be a number from 0'
    ],
    ['a cell that is missing', LINKS, `${LATENCY}1,2\n`, 'latency.csv:3:1: latency_ms is empty'],
    ['a pair twice', LINKS, `${LATENCY}0,1,9\n`, 'latency.csv:3:1: 0,1 has a line already']
  ])('%s: said with file and line', async (_what, links, latency, message) => {
    await expect(loadScenario(inFolder(links, latency))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: containing(message)
    })
  })

  test('a mesh in parts, where it need not become one', async () => {
    await expect(loadScenario(inFolder('from,to\n0,1\n', LATENCY, 'measured'))).resolves.toBeDefined()
  })

  test('files that are not there: each with the key that names it', async () => {
    const text = TINY.replace('kind: full', 'kind: file, path: nowhere.csv')
    const path = written(newFolder(), 'x.yaml', `${text}linkMatrix: neither.csv\n`)
    const absent = join(path, '..', 'nowhere.csv')
    await expect(loadScenario(path)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: containing(
        `${path}:6:31 topology.path: names ${absent}, which can't be read\n${path}:14:13 linkMatrix: `
      )
    })
  })
})
