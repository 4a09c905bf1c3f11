/** A setting from outside that cannot be used. Its message is all that one needs to know. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}
