"""Documentation that is made from declarations: what files hold, how the chain is configured."""

from __future__ import annotations

from spine.document.pages import differences, pages, write

__all__ = ["differences", "pages", "write"]
