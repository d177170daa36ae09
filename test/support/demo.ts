import { execFileSync } from 'node:child_process'
import type { Running } from './cli.ts'

/** The demo takes some ten seconds, and minutes where others keep the only core of a machine busy. */
export const DEMO_MS = 600_000

/** The node processes that the demo has named so far. */
export function nodePids(demo: Running): number[] {
  return [...demo.stdout().matchAll(/process ([0-9]+)/g)].map(([, pid]) => Number(pid))
}

/** The command lines of all processes on this machine that name the folder. */
export function processesNaming(folder: string): string[] {
  const lines = execFileSync('ps', ['-A', '-o', 'args'], { encoding: 'utf8' }).split('\n')
  return lines.filter((line) => line.includes(folder))
}

/** The temporary folder of the demo, from the command lines of its nodes. */
export function demoFolderOf(pids: readonly number[]): string {
  const args = execFileSync('ps', ['-o', 'args', '-p', pids.join(',')], { encoding: 'utf8' })
  const folder = /--data (\S*anchormesh-demo-[^/\s]+)/.exec(args)?.[1]
  if (folder === undefined) throw new Error(`no node of the demo among:\n${args}`)
  return folder
}

/** Where the demo's EVM chain listens, as it has told by now. */
export function evmUrlOf(stdout: string): string | undefined {
  return /EVM chain +(http:\/\/127\.0\.0\.1:[0-9]+)/.exec(stdout)?.[1]
}

/** Whether somebody answers there. */
export async function isListening(url: string): Promise<boolean> {
  return await fetch(url).then(
    () => true,
    () => false
  )
}
