# The declaration of exactness.
declaration-text = I declare that the information I have entered, in particular what identifies me, is true and exact.
declaration-missing = Tick this box to continue: you answer for what you have entered.
