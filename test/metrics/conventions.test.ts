import { readFileSync } from 'node:fs'
import {
  ChurnReason,
  IDontWantSkipPath,
  IHaveIgnoreReason,
  ScorePenalty,
  ScoreThreshold
} from '@libp2p/gossipsub/metrics'
import { RejectReason, ValidateError } from '@libp2p/gossipsub/types'
import { beforeAll, expect, test } from 'vitest'
import { CLOSED_LABELS } from '../../src/metrics/gossip-register.ts'
import type { Exposition } from './exposition.ts'
import { wholeExposition } from './list.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

let whole: Exposition
beforeAll(async () => {
  whole = await wholeExposition()
})

test('names, types and units are as Prometheus wants them, whoever counts', () => {
  expect(whole.size).toBeGreaterThan(150)
  for (const { name, type, help } of whole.values()) {
    expect(name).toMatch(/^anchormesh_[a-z0-9]+(_[a-z0-9]+)*$/)
    expect(help, name).not.toBe('')
    expect(name.endsWith('_total'), `${name} is a ${type}`).toBe(type === 'counter')
    if (type === 'histogram') expect(name).not.toMatch(/_(count|sum|bucket)$/)
    expect(name).not.toMatch(/_(ms|milliseconds|minutes|hours|days|kb|kib|kilobytes|mb|mib|megabytes|percent)(_|$)/)
    if (/_(age|duration|delay|lag)(_|$)/.test(name)) expect(name).toMatch(/_(seconds|records)(_|$)/)
  }
})

test('each metric has its series before anything happened', () => {
  const empty = [...whole.values()].filter(({ series }) => series.size === 0).map(({ name }) => name)
  // gossipsub fills these from its peers at an exposition, and prom-client the last from the process.
  const fromPeers = /^anchormesh_gossipsub_(protocol|peers_per_protocol_count|score_weights_(avg|min|max)|cache_size)$/
  expect(empty.filter((name) => !fromPeers.test(name) && !name.startsWith('anchormesh_nodejs_'))).toEqual([])
})

test('there are as many series as labels of closed sets make, and none has a long row', () => {
  for (const { name, type, series } of whole.values()) {
    // Routes and their methods are the widest label that there is; a histogram has nine lines for each.
    const most = name.startsWith('anchormesh_http_request') ? 150 * (type === 'histogram' ? 10 : 4) : 64
    expect(series.size, name).toBeLessThanOrEqual(most)
    for (const { labels } of series.values())
      for (const [label, value] of Object.entries(labels)) expect(value.length, `${name} ${label}`).toBeLessThan(80)
  }
})

test('the labels of gossipsub that begin at 0 have the values that it gives them', () => {
  const values = (set: Readonly<Record<string, string>>): string[] => Object.values(set).sort()
  const known = (label: string): string[] => [...(CLOSED_LABELS[label] ?? [])].sort()
  expect(known('on')).toEqual(values(IDontWantSkipPath))
  expect(known('penalty')).toEqual(values(ScorePenalty))
  expect(known('threshold')).toEqual(values(ScoreThreshold))
  expect(known('reason')).toEqual(values(IHaveIgnoreReason))
  // It stands for the other set.
  const { Error: _other, ...reasons } = RejectReason
  expect(known('error')).toEqual([...values(reasons), ...values(ValidateError)].sort())
  for (const reason of values(ChurnReason))
    expect(whole.has(`anchormesh_gossipsub_peer_churn_events_${reason}_total`), reason).toBe(true)
})

test('every alarm in the README is about a series that there is', () => {
  const named = [...README.matchAll(/\b(anchormesh_[a-z0-9_]*[a-z0-9])(?:\{([^}]*)\})?/g)]
  const alarms = named.filter(([, name = '']) => name !== 'anchormesh_gossipsub')
  expect(alarms.length).toBeGreaterThan(15)
  for (const [text, name = '', matchers = ''] of alarms) {
    const family = whole.get(name) ?? whole.get(name.replace(/_(bucket|sum|count)$/, ''))
    expect(family, text).toBeDefined()
    const series = [...(family?.series.values() ?? [])]
    for (const [, label = '', values = ''] of matchers.matchAll(/([a-z]+)=~?"([^"]*)"/g))
      for (const value of values.replaceAll('\\|', '|').split('|'))
        expect(
          series.some(({ labels }) => labels[label] === value),
          `${text}: ${label} ${value}`
        ).toBe(true)
  }
})
