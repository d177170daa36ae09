import { styleText } from 'node:util'
import type { CommandContext } from '../command.ts'
import { duration } from '../table.ts'

const INDENT = '    '

/** Tells a person what happens, step by step. With `--json` and `--quiet` it keeps silent. */
export interface Narrator {
  /** What this is about. */
  opening(text: string): Promise<void>
  /** Begins the next numbered step. */
  step(title: string): Promise<void>
  /** Lines of text below the step, indented. */
  say(text: string): Promise<void>
  /** The command that a person would type for what happens now. */
  command(commandLine: string): Promise<void>
  /** What was reached, with the time since the step began. */
  reached(text: string): Promise<void>
  /** How it ended. */
  closing(text: string): Promise<void>
}

export function createNarrator({ output, clock, json, quiet }: CommandContext): Narrator {
  const silent = json || quiet
  const style = (format: 'bold' | 'dim' | 'green', text: string): string =>
    output.answersToTerminal ? styleText(format, text) : text
  let number = 0
  let stepMs = clock.monotonicMs()
  const write = async (text: string): Promise<void> => {
    if (!silent) await output.line(text)
  }
  return {
    opening: (text) => write(text),
    async step(title) {
      number += 1
      stepMs = clock.monotonicMs()
      await write(`\n${style('bold', `${String(number).padStart(2)}  ${title}`)}`)
    },
    say: (text) => write(indented(text)),
    command: (commandLine) => write(style('dim', indented(`$ ${commandLine}`))),
    reached: (text) => {
      const took = style('dim', `(${duration(clock.monotonicMs() - stepMs)})`)
      return write(indented(`${style('green', '✓')} ${text} ${took}`))
    },
    closing: (text) => write(style('bold', text))
  }
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, INDENT)
}
