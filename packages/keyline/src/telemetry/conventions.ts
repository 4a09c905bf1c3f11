/*
 * The semantic conventions for messaging of OpenTelemetry, as of version 1.45.0, where they are "in development": names may change with a later version of them, and then with a version of Keyline.
 * They are not imported: the package that has them calls these names unstable, and would be one more dependency.
 */
export const scope = "keyline";
export const schemaUrl = "https://opentelemetry.io/schemas/1.45.0";

export const system = { "messaging.system": "keyline" };
export const operationName = "messaging.operation.name";
export const operationType = "messaging.operation.type";
export const destination = "messaging.destination.name";
export const consumerGroup = "messaging.consumer.group.name";
export const messageId = "messaging.message.id";
export const batchCount = "messaging.batch.message_count";
export const errorType = "error.type";

/** Not of the conventions: 1 for the first attempt, and what became of it. */
export const attempt = "keyline.attempt";
export const outcome = "keyline.outcome";

export const sentMessages = "messaging.client.sent.messages";
export const consumedMessages = "messaging.client.consumed.messages";
export const operationDuration = "messaging.client.operation.duration";
export const processDuration = "messaging.process.duration";

/** Bounds of the histograms, in seconds, as the conventions say. */
export const durationBounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
