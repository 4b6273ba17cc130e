"""The networks themselves: as they learn with torch, and as they are stored and run with numpy."""
