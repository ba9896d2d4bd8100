export {
  Activity, AlertTriangle, ArrowLeft, ArrowRightLeft, AudioLines, BarChart3, Bell, BookUser, Building2, CalendarClock, Check, ChevronDown, ChevronRight, CircleHelp, CirclePause,
  CirclePlay, Clock3, Cpu, Delete, Download, Ear, Grid3x3, Headphones, History, KeyRound, LayoutDashboard, ListChecks, ListTree, LogOut, Megaphone, MessageSquare, Mic, MicOff, Monitor, Moon,
  NotebookPen, Pause, Pencil, Phone, PhoneCall, PhoneForwarded, PhoneIncoming, PhoneMissed, PhoneOff, PhoneOutgoing, Play, Plus, Radio, RefreshCw, Search, Settings, Shield, ShieldCheck, ShieldQuestion, ShieldX, UserRoundCheck, Lock,
  SkipBack, SkipForward, SlidersHorizontal, Sun, Trash2, TriangleAlert, Undo2, UserRound, Users, UsersRound, Volume2, Wifi, WifiOff, X, Hash, Cable, Tags, Rocket, ScrollText, Coffee, Copy, Bot, Fingerprint, LockOpen, QrCode, Inbox, Globe, Smartphone, MonitorSmartphone, CircleParking, Video, VideoOff, Landmark,
} from "lucide-react";
