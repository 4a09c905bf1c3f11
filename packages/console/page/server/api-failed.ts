import { texts } from "../texts.ts";

/** An answer that is no success, or none at all. Its message is fit to be shown. */
export class ApiFailed extends Error {
  override readonly name = "ApiFailed";
  /** Zero where there was no answer. */
  readonly status: number;
  readonly code: string | undefined;
  readonly detail: string | undefined;

  constructor(message: string, { status, code, detail }: { readonly status: number; readonly code?: string; readonly detail?: string }) {
    super(message);
    this.status = status;
    this.code = code;
    this.detail = detail;
  }
}

/** What is told of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (!(error instanceof ApiFailed)) return error instanceof Error ? error.message : String(error);
  return error.detail === undefined || error.detail === error.message ? error.message : `${error.message}: ${error.detail}`;
}

export async function readFailure(response: Response): Promise<ApiFailed> {
  const problem: unknown = await response.json().catch(() => undefined);
  const code = textOf(problem, "code");
  const detail = textOf(problem, "detail");
  return new ApiFailed(textOf(problem, "title") ?? texts.failed.answered(response.status), {
    status: response.status,
    ...(code !== undefined && { code }),
    ...(detail !== undefined && { detail }),
  });
}

function textOf(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const found: unknown = Reflect.get(value, name);
  return typeof found === "string" ? found : undefined;
}
