import type { Catalogue } from "../lib/i18n";

const ar: Catalogue = {
  "E-mail": "البريد الإلكتروني",
  "Password": "كلمة المرور",
  "Sign in": "تسجيل الدخول",
  "Sign out": "تسجيل الخروج",
  "Sign in to Crosspoint": "تسجيل الدخول إلى Crosspoint",
};

export default ar;
