# Activating an account.
activation-title = Activate your account
activation-hello = Hello { $name }.
activation-from = { $name } has prepared an account for you.
activation-lead = Choose your password to come in.
activation-login = Your username
activation-accept = My account is personal: I give my username and my password to nobody.
activation-not-accepted = Tick this box to continue.
activation-submit = Activate my account
activation-over-title = This link no longer works
activation-over-text = It was used before, or its time is over. If your account is not activated yet, ask for a new link with your e-mail address.
activation-over-link = Get a new link
activation-phone-number = Phone number
activation-birthdate = Date of birth
activation-missing-given-name = Give your given name as it is, without addresses or special signs.
activation-missing-family-name = Give your family name as it is, without addresses or special signs.
activation-missing-phone-number = Give your phone number, for example 06 12 34 56 78, or +32 470 12 34 56 from abroad.
activation-missing-birthdate = Give your date of birth.
