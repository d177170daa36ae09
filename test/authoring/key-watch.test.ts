import { expect, test } from 'vitest'
import type { KeySchedule } from '../../src/authoring/key-watch.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { openNode, quiet } from '../node/nodes.ts'
import { member } from '../support/identities.ts'
import { recordingLogger } from '../support/recording-logger.ts'
import type { LogLine } from '../support/recording-logger.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const self = member('self')
const { kid, publicKey } = self.signer

const scheduleOf = (more: Partial<KeySchedule>): KeySchedule => ({
  rotateEveryMs: 365 * DAY,
  warnBeforeMs: 30 * DAY,
  ownKeys: [],
  certificates: [],
  ...more
})

test('ends and drift are warnings in the status and, once while they hold, in the log', async () => {
  const lines: LogLine[] = []
  const warned = (): readonly string[] =>
    lines.filter(({ level }) => level === 'warn').map(({ fields }) => String(fields['code']))
  const certificates = [{ what: 'http.tls.cert (CN=a)', notAfter: 0 }]
  const keys = scheduleOf({ certificates })
  const opened = await openNode(self, [self], { logger: recordingLogger(lines), keys })
  const { node, ports } = opened
  await node.start()
  await quiet(opened)
  expect((await node.status()).warnings).toEqual([expect.stringContaining('http.tls.cert (CN=a) ended')])
  expect(warned()).toEqual(['CERTIFICATE_ENDED'])
  await ports.clock.advance(2 * HOUR)
  expect(warned()).toEqual(['CERTIFICATE_ENDED'])
  certificates.pop()
  await ports.clock.advance(HOUR)
  certificates.push({ what: 'http.tls.cert (CN=a)', notAfter: 0 })
  await ports.clock.advance(HOUR)
  expect(warned()).toEqual(['CERTIFICATE_ENDED', 'CERTIFICATE_ENDED'])
  await node.close()
})

test('a key that signs is compared with the newest pack, and its age with the schedule', async () => {
  const ownKeys = [{ kid, publicKey: toBase64url(publicKey), createdAt: null }]
  const first = await openNode(self, [self], { keys: scheduleOf({ ownKeys }) })
  const { node } = first
  await node.start()
  expect((await node.status()).warnings).toEqual([])
  await node.publishPack()
  await quiet(first)
  expect((await node.status()).warnings).toEqual([])
  await node.close()
  const other = [{ kid, publicKey: toBase64url(member('other').signer.publicKey), createdAt: 0 }]
  const second = await openNode(self, [self], { keys: scheduleOf({ ownKeys: other }) })
  await second.node.publishPack()
  await quiet(second)
  expect((await second.node.status()).warnings).toEqual([
    expect.stringContaining('was due for rotation'),
    expect.stringContaining('signs with another key')
  ])
  await second.node.close()
})
