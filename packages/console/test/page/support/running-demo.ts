/** What runs as long as somebody looks at it. */
export interface RunningDemo {
  close(): Promise<void>;
}
