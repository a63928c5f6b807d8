# Creating an account.
signup-title = Create an account
signup-lead = One personal account for your training portals.
signup-given-name = First name
signup-family-name = Last name
signup-email = E-mail address
signup-email-hint = We send a link there to confirm it. It will be your username.
signup-language = Language
signup-submit = Get the link
signup-privacy = What we do with your data
signup-have-one = Do you have an account already?
signup-wrong-name = Write your name as it is, without addresses or special signs.
signup-wrong-email = This address is not complete. Example: first.last@example.com
signup-working = One moment: your browser is finishing an automatic check.
signup-again = The automatic check failed. Send the form again.
signup-without-script = { $count ->
    [one] Without JavaScript, your link will leave in { $count } minute instead of at once.
   *[other] Without JavaScript, your link will leave in { $count } minutes instead of at once.
}
signup-needs-script = To create an account, switch on JavaScript in your browser.
signup-sent-title = Check your mailbox
signup-sent-text = A message has just been sent to the address you gave. Open its link within 24 hours to choose your password.
signup-queued-text = { $count ->
    [one] A message will leave in { $count } minute for the address you gave. Open its link within 24 hours to choose your password.
   *[other] A message will leave in { $count } minutes for the address you gave. Open its link within 24 hours to choose your password.
}
signup-exists-title = This address has an account already
signup-exists-text = An account uses this address already. Sign in, or ask for a link if you no longer know your password.
