import { expect, test } from 'vitest'
import { decodeReport } from '../../protocols/drill-report/v1/report.ts'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import { runDrill } from '../../src/drill/run-drill.ts'
import { drillPorts, serveTestNode, targetOf } from './support.ts'

const ALL_STEPS = [
  'node-document',
  'identity',
  'admin-status',
  'unknown-node',
  'register',
  'challenge',
  'wrong-audience',
  'stale-request',
  'altered-payload',
  'made-up-token',
  'register-second',
  'stolen-token',
  'delivery',
  'receipt-signature',
  'receipt-pinned-key',
  'log-inclusion',
  'replay-guard',
  'spent-token',
  'unregister',
  'unregister-second'
]

test('a drill goes through all steps, and leaves a signed report and no key', async () => {
  const node = await serveTestNode('target')
  const { report, file, unreachable } = await runDrill(
    targetOf(node, { pins: { did: node.did, keys: [] } }),
    drillPorts(node)
  )
  expect(report.steps.filter(({ outcome }) => outcome !== 'passed')).toEqual([])
  expect(report).toMatchObject({
    passed: true,
    challenge_issue_passed: true,
    delivery_passed: true,
    receipt_signature_verified: true,
    replay_guard_passed: true
  })
  expect(report.steps.map(({ name }) => name)).toEqual(ALL_STEPS)
  expect(unreachable).toBe(false)
  expect(decodeReport(utf8(file))).toEqual({ ok: true, report })
  expect(node.node.gateway.partners.registered()).toEqual([])
})
