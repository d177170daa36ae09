/**
 * The user name and password of a URL, as they are meant: without percent-encoding. Both are empty where there are none;
 * `null` where what is encoded is no text.
 */
export function urlCredentials(url: URL): { readonly user: string; readonly password: string } | null {
  try {
    return { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
  } catch (error) {
    if (error instanceof URIError) return null
    throw error
  }
}
