/** Origin and path: the rest may hold what nobody else is to read. */
export function plainUrl({ origin, pathname }: URL): string {
  return pathname === '/' ? origin : `${origin}${pathname}`
}
