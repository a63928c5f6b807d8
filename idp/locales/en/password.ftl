# Passwords.
password-forgot-title = Forgotten password
password-forgot-lead = Give your login or e-mail address. We will send you a link to choose a new password.
password-forgot-submit = Send me the link
password-stale = This page had been open for too long. Please start again.
password-new-title = Choose a password
password-account = Account
password-new-label = New password
password-repeat-label = The same, once more
password-new-submit = Save this password
password-new-ends = Your other devices will be signed out.
password-rules = A password is accepted when it follows one of these three patterns:
password-rule-four = at least { $count } characters, with lower case, upper case, digits and other signs
password-rule-three = at least { $count } characters, with lower case, upper case and digits
password-rule-words = at least { $count } different words
password-rule-met = This password follows an accepted pattern.
password-rule-not-met = Not long or varied enough yet.
password-rule-besides = { $count ->
    [one] It contains neither your name, nor your address, nor the name of your organization. It is neither your present password nor one that others often use.
   *[other] It contains neither your name, nor your address, nor the name of your organization. It is neither one of your last { $count } passwords nor one that others often use.
}
password-rule-personal = It contains a part of your login.
password-guess = Very easy to guess.|Easy to guess.|Still rather easy to guess.|Hard to guess.|Very hard to guess.
password-show = Show the password
password-hide = Hide the password
password-refused = This password cannot be used:
password-not-repeated = the two entries differ;
password-too-long = it is longer than 256 characters;
password-no-pattern = it follows none of the three patterns;
password-personal = it contains a word about you: name, address or organization;
password-guessable = it is too easy to guess;
password-leaked = it is among leaked passwords;
password-not-kept = it is not the one you had; choose a new one if you cannot find it.
password-reused = you used it recently.
password-present-label = Present password
password-present-refused = This is not your present password, or there were too many attempts. Try again in a few minutes.
