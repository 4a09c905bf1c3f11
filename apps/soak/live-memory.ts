interface Answer {
  readonly id: number;
  readonly result?: { readonly result?: { readonly value?: string } };
}

/** What a process has in use when all garbage is collected, in megabytes. */
export interface LiveMemory {
  readonly pid: number;
  readonly mb: number;
}

const usage = "JSON.stringify({ pid: process.pid, ...process.memoryUsage() })";

/**
 * Asks a Node process through its inspector at `address`: what it takes of the system says more of when V8 last found it worth while to collect. Undefined
 * for a process that has ended.
 */
export async function liveMemoryAt(address: string): Promise<LiveMemory | undefined> {
  const inspector = new WebSocket(address);
  const answers = new Map<number, (answer: Answer) => void>();
  inspector.addEventListener("message", ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    answers.get(answer.id)?.(answer);
  });
  const isOpen = await new Promise<boolean>((resolve) => {
    inspector.addEventListener("open", () => resolve(true));
    inspector.addEventListener("error", () => resolve(false));
  });
  if (!isOpen) return undefined;
  let calls = 0;
  const call = (method: string, params: object = {}): Promise<Answer> => {
    const id = ++calls;
    const answer = new Promise<Answer>((resolve) => answers.set(id, resolve));
    inspector.send(JSON.stringify({ id, method, params }));
    return answer;
  };
  try {
    for (let pass = 0; pass < 2; pass++) await call("HeapProfiler.collectGarbage");
    const answer = await call("Runtime.evaluate", { expression: usage });
    const { pid, heapUsed, external } = JSON.parse(answer.result?.result?.value ?? "{}") as Record<string, number>;
    return { pid: pid ?? 0, mb: Math.round((10 * ((heapUsed ?? 0) + (external ?? 0))) / 1_048_576) / 10 };
  } finally {
    inspector.close();
  }
}
