import { describe, expect, test } from 'vitest'
import { isLoopback, isSameAddress, splitListen } from '../../src/policy/listen-address.ts'
import type { ListenAddress } from '../../src/policy/listen-address.ts'

const address = (listen: string): ListenAddress => {
  const split = splitListen(listen)
  if (split === null) throw new Error(`${listen} is no address`)
  return split
}

test('HOST:PORT in all its forms', () => {
  expect(splitListen('127.0.0.1:8088')).toEqual({ host: '127.0.0.1', port: 8088 })
  expect(splitListen('[::1]:0')).toEqual({ host: '::1', port: 0 })
  expect(splitListen('LocalHost:1')).toEqual({ host: '127.0.0.1', port: 1 })
  for (const none of ['127.0.0.1', '::1:8088', '127.0.0.1:65536', '127.0.0.1:080', ':1', ''])
    expect(splitListen(none), none).toBeNull()
})

describe('loopback', () => {
  test.each(['localhost', 'LOCALHOST', '::1', '127.0.0.1', '127.255.0.9'])('%s is', (host) =>
    expect(isLoopback(host)).toBe(true)
  )
  test.each([
    '127.999.0.1',
    '127.1',
    '127.0.0.1.example',
    'localhost.example',
    '::2',
    '::ffff:127.0.0.1',
    '0.0.0.0',
    ''
  ])('%s is not', (host) => expect(isLoopback(host)).toBe(false))
})

test('two listeners can have the same port of different hosts, and port 0 twice', () => {
  expect(isSameAddress(address('127.0.0.1:8088'), address('localhost:8088'))).toBe(true)
  expect(isSameAddress(address('127.0.0.1:8088'), address('[::1]:8088'))).toBe(false)
  expect(isSameAddress(address('127.0.0.1:8088'), address('127.0.0.1:8089'))).toBe(false)
  expect(isSameAddress(address('127.0.0.1:0'), address('127.0.0.1:0'))).toBe(false)
})
