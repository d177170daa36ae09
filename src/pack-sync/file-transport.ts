import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { PACK_PAGE_BYTES_MAX, decodePackPage, encodePackPage } from '../../protocols/pack-sync/v1/page.ts'
import type { PackPage } from '../../protocols/pack-sync/v1/page.ts'
import { concat } from '../../protocols/primitives/bytes.ts'
import { errnoOf } from '../platform/atomic-file.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import { InTurn } from '../platform/in-turn.ts'
import { LineTooLong, splitLines } from '../platform/lines.ts'
import { shelfOfEvents } from './event-shelf.ts'
import { servePage } from './shelf.ts'
import type { PackRefusal, PackTransport, PushAnswer } from './transport.ts'
import { isPackEvent } from './walk.ts'

// What a file may hold is held in memory while a page is made: ten years of monthly packs of fifty organisations.
export const PACK_FILE_BYTES_MAX = 64 * 1024 * 1024
const LINE_FEED = 0x0a
// Looked through backwards for the last line feed.
const TAIL_BYTES = 64 * 1024
// A page is written in far less; who was stopped in it writes no more.
const UNFINISHED_LOOK_MS = 100

/** Why a file is no source. */
class FileRefused extends Error {
  readonly refusal: PackRefusal

  constructor(refusal: PackRefusal) {
    super(refusal.detail)
    this.name = 'FileRefused'
    this.refusal = refusal
  }
}

/**
 * A file of pages as a source of packs (PS-16): for organisations between which only files travel. An event that is
 * pushed is appended as a page of its own, whole or not at all.
 */
export function fileTransport(path: string, clock: Clock): PackTransport {
  const appending = new InTurn()
  return {
    name: `file:${path}`,
    async pull(request, signal) {
      signal.throwIfAborted()
      try {
        const { wires, servedAt } = await readPages(path, signal)
        return await servePage(shelfOfEvents(wires), request, { ...clock, now: () => servedAt })
      } catch (error) {
        signal.throwIfAborted()
        return refusalOf(error, path)
      }
    },
    async push(wire, signal) {
      signal.throwIfAborted()
      const decoding = decodeEvent(wire)
      if (!decoding.ok) return said('rejected', decoding.code, decoding.detail)
      const { event } = decoding
      try {
        return await appending.run(async () => {
          const known = await heldIn(path, event.id, signal)
          if (known) return said('duplicate')
          const { packSeq } = event.envelope.body
          const headPackSeq = isPackEvent(event) && typeof packSeq === 'number' ? packSeq : 0
          const page: PackPage = { packs: [wire], nextPageToken: null, headPackSeq, servedAt: clock.now() }
          await append(path, concat(encodePackPage(page), Uint8Array.of(LINE_FEED)), clock)
          return said('accepted')
        })
      } catch (error) {
        signal.throwIfAborted()
        return refusalOf(error, path)
      }
    }
  }
}

function said(outcome: 'accepted' | 'duplicate' | 'rejected', code: string = '', detail: string = ''): PushAnswer {
  return { ok: true, outcome: { outcome, code, detail } }
}

function refusalOf(error: unknown, path: string): PackRefusal {
  if (error instanceof FileRefused) return error.refusal
  if (error instanceof LineTooLong) return { ok: false, reason: 'broken', detail: `${path}: ${error.message}` }
  if (errnoOf(error) === undefined) throw error
  return { ok: false, reason: 'unreachable', detail: messageOf(error) }
}

async function heldIn(path: string, eventId: string, signal: AbortSignal): Promise<boolean> {
  try {
    const { wires } = await readPages(path, signal)
    return wires.some((wire) => {
      const decoding = decodeEvent(wire)
      return decoding.ok && decoding.event.id === eventId
    })
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

/** All events of a file in their order, and when its newest page was made. */
async function readPages(
  path: string,
  signal: AbortSignal
): Promise<{ readonly wires: readonly Uint8Array[]; readonly servedAt: number }> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (size > PACK_FILE_BYTES_MAX) {
      const detail = `${path} has ${size} bytes; a file of packs has at most ${PACK_FILE_BYTES_MAX}`
      throw new FileRefused({ ok: false, reason: 'broken', detail })
    }
    const whole = await endOfLastLine(file, size)
    const wires: Uint8Array[] = []
    let [servedAt, line] = [0, 0]
    if (whole === 0) return { wires, servedAt }
    const chunks = file.createReadStream({
      start: 0,
      end: whole - 1,
      autoClose: false,
      signal
    }) as AsyncIterable<Uint8Array>
    for await (const bytes of splitLines(chunks, PACK_PAGE_BYTES_MAX)) {
      line += 1
      const decoding = decodePackPage(bytes)
      // [REJECT] PS-16.
      if (!decoding.ok) {
        const detail = `${path}, line ${line}: ${decoding.detail}`
        throw new FileRefused({ ok: false, reason: 'broken', detail })
      }
      wires.push(...decoding.page.packs)
      servedAt = Math.max(servedAt, decoding.page.servedAt)
    }
    return { wires, servedAt }
  } finally {
    await file.close()
  }
}

/** [WRITE] PS-17. A page is written in one go at the end; what somebody left unfinished there goes first. */
async function append(path: string, line: Uint8Array, clock: Clock): Promise<void> {
  const file = await openOrCreate(path)
  try {
    const { whole, size } = await settledEnd(file, clock)
    if (size + line.length > PACK_FILE_BYTES_MAX) {
      const detail = `${path} is full: a file of packs has at most ${PACK_FILE_BYTES_MAX} bytes`
      throw new FileRefused({ ok: false, reason: 'refused', code: 'too-big', detail })
    }
    if (whole < size) await file.truncate(whole)
    const { bytesWritten } = await file.write(line, 0, line.length, null)
    if (bytesWritten < line.length)
      throw Object.assign(new Error(`no space left for a page in ${path}`), { code: 'ENOSPC' })
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Where the file ends. An end that looks unfinished may be one that somebody is writing just now. */
async function settledEnd(file: FileHandle, clock: Clock): Promise<{ readonly whole: number; readonly size: number }> {
  for (let before = -1; ;) {
    const { size } = await file.stat()
    const whole = await endOfLastLine(file, size)
    if (whole === size || size === before) return { whole, size }
    before = size
    await clock.sleep(UNFINISHED_LOOK_MS)
  }
}

/** For appending and looking; packs are public, so others may read it. */
async function openOrCreate(path: string): Promise<FileHandle> {
  return await open(path, 'a+', 0o644)
}

/** Where the last line ends that is whole; what stands behind it was being written when somebody was stopped. */
async function endOfLastLine(file: FileHandle, size: number): Promise<number> {
  for (let to = size; to > 0;) {
    const from = Math.max(0, to - TAIL_BYTES)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(to - from), 0, to - from, from)
    const at = buffer.subarray(0, bytesRead).lastIndexOf(LINE_FEED)
    if (at >= 0) return from + at + 1
    to = from
  }
  return 0
}
