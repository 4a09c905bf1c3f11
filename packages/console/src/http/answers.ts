import type { Failure } from "../api/basics.ts";

export const securityHeaders = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  // Style elements are written by the page's components; scripts come from files only. The base is the one in the page's own head.
  "content-security-policy":
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'self'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

export function jsonAnswer(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...securityHeaders, "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
  });
}

export function failureAnswer(failure: Failure): Response {
  return new Response(JSON.stringify(failure), {
    status: failure.status,
    headers: {
      ...securityHeaders,
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(failure.status === 401 && { "www-authenticate": "Bearer" }),
      ...(failure.status === 503 && { "retry-after": "2" }),
    },
  });
}
