/** Of every answer: what it is, is said by its type alone; nobody keeps it, and no page shows it. */
export const answerHeaders = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
};
