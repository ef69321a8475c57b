"""`auto`: keys that the user left out are settled by the text, the minutes and this machine's speed."""
