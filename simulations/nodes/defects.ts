import { currentProcess } from '../world/simulated-process.ts'

/**
 * From now on, what this process throws or rejects with and nobody catches is the doing of the node whose code did so.
 * `onOther` is told what no node did.
 */
export function watchDefects(onOther: (error: unknown) => void): void {
  const blame = (error: unknown): void => {
    const process = currentProcess()
    if (process === undefined) onOther(error)
    else process.defect(error)
  }
  process.on('unhandledRejection', blame)
  process.on('uncaughtException', blame)
}
