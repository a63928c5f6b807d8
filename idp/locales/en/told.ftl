# Pages that only tell something.
told-ask-again = Ask for a new link
told-link-sent-title = Check your mail
told-link-sent-text = If an account matches what you gave, a link has just been sent to its e-mail address. It works once, within 60 minutes.
told-link-over-title = This link no longer works
told-link-over-text = It has been used, or its 60 minutes are over.
told-password-changed-title = Password saved
told-password-changed-text = Your other devices have been signed out. You can sign in with your new password.
told-password-expired-title = Your password has expired
told-password-expired-text = Passwords are renewed every year. A link to choose a new one has just been sent to your e-mail address. It works once, within 60 minutes.
told-compromise-reported-title = Your account is protected
told-compromise-reported-text = All your devices and applications are signed out, and the old password opens nothing. A link to choose a new one has just been sent to your e-mail address.
told-password-changed-here-text = Your other devices have been signed out. This one stays signed in.
told-report-over-title = This link no longer works
told-report-over-text = It was used already, or is too old. If in doubt, report the compromise from your account.
