import type { DeadLetter, DeadLettersOptions } from "keyline";

interface WithLetters {
  deadLetters(options?: DeadLettersOptions): AsyncIterable<DeadLetter>;
}

/** All of them that fit, newest first. */
export async function lettersOf(queue: WithLetters, options?: DeadLettersOptions): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for await (const letter of queue.deadLetters(options)) letters.push(letter);
  return letters;
}
