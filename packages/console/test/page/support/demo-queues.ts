import type { Keyline, Queue } from "keyline";

export interface DemoQueues {
  readonly mails: Queue<{ to: string; template: string; apiToken: string }>;
  readonly orders: Queue<object, object, true>;
  readonly reports: Queue<{ kind: string; month?: string }, { kind: string; month?: string }, true>;
  readonly pages: Queue<{ region: string }, { region: string }, true>;
  readonly invoices: Queue<{ customer: string; invoice: number }>;
  readonly thumbnails: Queue<{ image: string; width: number }>;
  readonly exports: Queue<object>;
}

export function demoQueues(keyline: Keyline): DemoQueues {
  const backoff = { type: "fixed", delay: 20 } as const;
  return {
    mails: keyline.queue("mails", { maxAttempts: 2, backoff }),
    orders: keyline.queue("orders", { transactional: true }),
    reports: keyline.queue("reports", { transactional: true }),
    pages: keyline.queue("report-pages", { transactional: true, maxAttempts: 1 }),
    invoices: keyline.queue("invoices", { limits: { concurrency: 20, rate: { max: 100, per: 60_000 }, group: { concurrency: 1 } } }),
    thumbnails: keyline.queue("thumbnails"),
    exports: keyline.queue("exports"),
  };
}
