import { createRequire } from 'node:module'
import { pino } from 'pino'
import type { DestinationStream } from 'pino'
import type { PinoPretty } from 'pino-pretty'

/** What the node needs of a logger: structured fields first, then one plain sentence. */
export interface Logger {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
  /** A logger that adds `fields` to every line. */
  child(fields: Readonly<Record<string, unknown>>): Logger
}

/** The levels that `log.level` in `federation.yaml` accepts. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A logger whose level can change, also that of its children. */
export interface LevelLogger extends Logger {
  setLevel(level: LogLevel): void
}

/**
 * Logs to standard error (standard output belongs to a command's answer): readable lines on a terminal,
 * JSON lines elsewhere.
 */
export function createLogger(level: LogLevel, terminal: boolean = process.stderr.isTTY): LevelLogger {
  const destination: DestinationStream = terminal
    ? loadPretty()({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' })
    : pino.destination({ dest: 2, sync: true })
  const options = { level: 'debug', base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return leveled(pino(options, destination), { level })
}

/** A child of pino keeps the level that it was made with, so the level is looked at here, in one place for all. */
function leveled(logger: Logger, shared: { level: LogLevel }): LevelLogger {
  const at =
    (level: Exclude<LogLevel, 'silent'>): Logger['info'] =>
    (fields, message) => {
      if (LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(shared.level)) logger[level](fields, message)
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => leveled(logger.child(fields), shared),
    setLevel: (level) => {
      shared.level = level
    }
  }
}

/** Thirty modules that only a terminal needs. */
function loadPretty(): typeof PinoPretty {
  return createRequire(import.meta.url)('pino-pretty') as typeof PinoPretty
}

/** A logger that says nothing, for library use and tests. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger
}
