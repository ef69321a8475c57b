"""What nobody set, settled by the text, by the minutes and by this machine's speed."""
