import { describe, expect, test } from 'vitest'
import { eventBytes, messageBytes } from '../../protocols/subscription/v1/frame-bytes.ts'
import type { OrderedFrame } from '../../protocols/subscription/v1/sequence.ts'
import { FrameSequence } from '../../protocols/subscription/v1/sequence.ts'
import { frame as frameSchema } from '../../src/api/frames.ts'
import type { Frame } from '../../src/api/frames.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

function vectorsOf(name: string): readonly unknown[] {
  return (readJson(PROTOCOLS, `subscription/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors
}

describe('frames', () => {
  type Valid = { frame: Frame; event: string; message: string }
  test.each(vectorsOf('frames') as readonly Valid[])('$description', ({ frame, event, message }) => {
    const json = JSON.stringify(frame)
    expect(frameSchema.parse(frame)).toMatchObject({ frame: frame.frame })
    expect(Buffer.from(eventBytes(json, frame.cursor)).toString('hex')).toBe(event)
    expect(Buffer.from(messageBytes(json)).toString('hex')).toBe(message)
  })

  type Invalid = { json: string }
  test.each(vectorsOf('frames-invalid') as readonly Invalid[])('$description ($rule)', ({ json }) => {
    expect(frameSchema.safeParse(JSON.parse(json)).success).toBe(false)
  })
})

describe('sequences', () => {
  type Sequence = { hasCursor: boolean; frames: readonly OrderedFrame[] }
  test.each(vectorsOf('sequences') as readonly Sequence[])('$description', ({ hasCursor, frames }) => {
    const sequence = new FrameSequence({ hasCursor })
    expect(frames.map((frame) => sequence.take(frame))).toEqual(frames.map(() => null))
  })

  type Broken = Sequence & { rule: string }
  test.each(vectorsOf('sequences-invalid') as readonly Broken[])(
    '$description: $rule',
    ({ hasCursor, frames, rule }) => {
      const sequence = new FrameSequence({ hasCursor })
      const broken = frames.map((frame) => sequence.take(frame))
      expect(broken).toEqual([...frames.slice(1).map(() => null), rule])
    }
  )
})
