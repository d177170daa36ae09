import { z } from 'zod'

/** The media type of an error answer. */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

/** An error answer: RFC 9457 `application/problem+json`, with what the node's codes need beside it. */
export const problemSchema = z
  .object({
    type: z.string().describe('Always `about:blank`: `code` says which problem it is (RFC 9457, section 4.2.1).'),
    title: z.string().describe('What the status is called.'),
    status: z.int(),
    code: z.string().describe('Which problem it is. Codes are stable.'),
    detail: z.string().describe('For people.'),
    requestId: z.string().describe('By which the log of the node names the request.'),
    hint: z.string().describe('What to do, for people.').exactOptional(),
    data: z.looseObject({}).describe('Figures and names for machines.').exactOptional(),
    oldest: z.number().describe('Of a cursor or position that is no longer kept: the oldest that is.').exactOptional(),
    outcome: z.enum(['ignored', 'rejected']).describe('Of an event that was not taken in.').exactOptional(),
    id: z.string().nullable().describe('Of an event that was not taken in.').exactOptional()
  })
  .meta({ id: 'Problem' })
export type Problem = z.output<typeof problemSchema>
