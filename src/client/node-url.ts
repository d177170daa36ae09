import { ClientError } from './errors.ts'

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/**
 * The address of a node with a slash at its end. Throws `URL_INVALID`: no `http:` or `https:` URL, credentials, a query
 * or a fragment in it, or a token that would travel unencrypted to another machine.
 */
export function requireUsableUrl(text: string, hasToken: boolean): string {
  if (!URL.canParse(text)) throw invalid(`${text} is no URL`)
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid(`${url.protocol} is not spoken by nodes`)
  if (url.username !== '' || url.password !== '') throw invalid('a URL with credentials ends up in logs')
  if (url.search !== '' || url.hash !== '') throw invalid('the URL of a node has neither query nor fragment')
  if (hasToken && url.protocol === 'http:' && !LOOPBACK.test(url.hostname))
    throw invalid(`a token would travel to ${url.hostname} unencrypted`)
  return url.href.endsWith('/') ? url.href : `${url.href}/`
}

function invalid(detail: string): ClientError {
  return new ClientError('URL_INVALID', detail, {
    hint: 'Give the address of the node’s public listener, such as https://node.example, and the token beside it.'
  })
}
