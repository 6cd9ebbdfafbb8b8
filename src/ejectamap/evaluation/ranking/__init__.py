"""Ranking study: which maps people prefer, which figures agree with them, and which weighted sum agrees best."""
