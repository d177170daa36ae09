import type { ComponentLogger, Logger as ComponentLog } from '@libp2p/interface'
import { messageOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/logger.ts'

/**
 * libp2p's errors as debug lines of this node's logger. Everything else that it says, several lines per frame, is
 * dropped: it would otherwise be formatted for nobody.
 */
export function componentLogger(logger: Logger): ComponentLogger {
  return { forComponent: (name) => componentLog(logger, name) }
}

function componentLog(logger: Logger, component: string): ComponentLog {
  const silent = (): void => {}
  return Object.assign(silent, {
    enabled: false,
    trace: silent,
    error: (format: unknown, ...values: readonly unknown[]) => logger.debug({ component }, fill(format, values)),
    newScope: (scope: string) => componentLog(logger, `${component}:${scope}`)
  })
}

/** Puts the values where libp2p's format has `%s`, `%p`, `%a`, `%e` and the like. */
function fill(format: unknown, values: readonly unknown[]): string {
  let next = 0
  return messageOf(format).replaceAll(/%[a-zA-Z]/g, (mark) => (next < values.length ? messageOf(values[next++]) : mark))
}
