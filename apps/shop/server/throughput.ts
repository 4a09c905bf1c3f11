const windowMs = 2_000;

interface Sample {
  readonly at: number;
  readonly processed: number;
}

/** Orders processed per second, from how many there were at some moments of the last two seconds. */
export class Throughput {
  #samples: Sample[] = [];

  /** `at` is in milliseconds. */
  measure({ at, processed }: Sample): number {
    // Without browsers nobody takes samples: what is older says nothing about now.
    this.#samples = this.#samples.filter((sample) => at - sample.at <= windowMs && sample.processed <= processed);
    this.#samples.push({ at, processed });
    const [first] = this.#samples;
    if (!first || at === first.at) return 0;
    return Math.round(((processed - first.processed) * 1_000) / (at - first.at));
  }
}
