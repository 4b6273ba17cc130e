"""Effects: what one arm changes against another, on average and for each subject, and what that rests on."""
