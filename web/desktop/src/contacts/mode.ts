import type { Schemas } from "../lib/api";
import { t } from "../lib/i18n";

export type Mode = Schemas["Mode"];

export const modeWord = (mode: Mode): string => ({ audio: t("Voice"), video: t("Video"), chat: t("In writing") })[mode];
