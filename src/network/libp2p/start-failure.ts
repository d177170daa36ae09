import { AnchormeshError, messageOf } from '../../platform/errors.ts'

/**
 * What a failed start of libp2p means to the person who started it. libp2p reports all addresses that it could not
 * listen on in the text of one error, without the errors themselves, so the text is what there is to read.
 * Gives `PORT_IN_USE` when one of them is taken, else `CONFIG_INVALID` for an address that this machine or this build
 * can't listen on, else the error itself.
 */
export function explainStartFailure(error: unknown, listen: readonly string[]): unknown {
  const text = messageOf(error)
  const taken = /EADDRINUSE:? address already in use ([^\s]+)/.exec(text)?.[1]
  if (taken !== undefined) {
    return new AnchormeshError('PORT_IN_USE', `${taken} is taken by another process`, {
      hint: 'is this node running already? Otherwise choose another port under node.listen in federation.yaml',
      detail: { address: taken, listen },
      cause: error
    })
  }
  const unusable = /UnsupportedListenAddressError|EADDRNOTAVAIL|EACCES|ENOTFOUND|EAFNOSUPPORT|EINVAL/.exec(text)?.[0]
  if (unusable === undefined) return error
  const what = `one of ${listen.join(', ')} can't be listened on`
  return new AnchormeshError('CONFIG_INVALID', `node.listen: ${what} (${REASONS[unusable] ?? unusable})`, {
    hint: 'listen on an address of this machine, such as /ip4/0.0.0.0/tcp/4088 or /ip4/0.0.0.0/tcp/4089/ws',
    detail: { listen },
    cause: error
  })
}

const REASONS: Readonly<Record<string, string>> = {
  UnsupportedListenAddressError: 'it is neither TCP nor WebSocket',
  EADDRNOTAVAIL: 'no such address on this machine',
  EACCES: 'the port needs more rights than this process has',
  ENOTFOUND: 'the name does not resolve'
}
