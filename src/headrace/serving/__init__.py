"""The server: releases behind HTTP, guarded, measured, and exchanged while they answer."""
