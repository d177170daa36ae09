/**
 * The commit that a build was made from, as `commitIn` has it. `npm run build` writes it into `dist` last of all, so what
 * is built by other means has none.
 */
export const builtFrom: string | null = null
