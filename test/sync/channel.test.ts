import { expect, test } from 'vitest'
import { SessionChannel, SessionEnded } from '../../src/sync/channel.ts'
import type { PeerStream } from '../../src/streams/peer-stream.ts'
import { createHandClock } from '../support/hand-clock.ts'
import { settled } from '../support/settled.ts'

/** A stream whose peer takes everything, and closes its side when it is told to. */
function slowPeer(): { readonly stream: PeerStream; taken(): number; aborted(): boolean; close(): void } {
  const closed = Promise.withResolvers<void>()
  let taken = 0
  let aborted = false
  return {
    stream: {
      peerId: 'peer',
      source: (async function* nothing(): AsyncGenerator<Uint8Array> {
        await closed.promise
        yield* []
      })(),
      async sink(source) {
        for await (const chunk of source) taken += chunk.length
      },
      abort() {
        aborted = true
        closed.resolve()
      }
    },
    taken: () => taken,
    aborted: () => aborted,
    close: () => closed.resolve()
  }
}

const WHY = new SessionEnded('wrong-namespace', 'here', 'not carried here')

async function pass(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await settled()
}

test('a stream is not broken before the peer had the time to read why', async () => {
  const peer = slowPeer()
  const channel = new SessionChannel(peer.stream, createHandClock())
  const leaving = channel.leave(WHY)
  await pass()
  expect(peer.taken()).toBeGreaterThan(WHY.message.length)
  expect(peer.aborted()).toBe(false)
  peer.close()
  await leaving
  expect(peer.aborted()).toBe(true)
})

test('nor where a frame was being read at that moment; and nothing is read after it', async () => {
  const peer = slowPeer()
  const channel = new SessionChannel(peer.stream, createHandClock())
  const reading = channel.read().catch((error: unknown) => error)
  const leaving = channel.leave(WHY)
  await pass()
  expect(peer.aborted()).toBe(false)
  await expect(channel.read()).rejects.toMatchObject({ code: 'broken' })
  peer.close()
  await leaving
  expect(await reading).toBeInstanceOf(SessionEnded)
})

test('a peer that never closes is not waited for longer than two seconds', async () => {
  const peer = slowPeer()
  const clock = createHandClock()
  const leaving = new SessionChannel(peer.stream, clock).leave(WHY)
  await pass()
  await clock.advance(1_999)
  expect(peer.aborted()).toBe(false)
  await clock.advance(1)
  await leaving
  expect(peer.aborted()).toBe(true)
})
