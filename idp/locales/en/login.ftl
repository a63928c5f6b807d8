# Signing in.
login-title = Sign in
login-to-continue = to continue to
login-username = Login or e-mail address
login-password = Password
login-submit = Sign in
login-cancel = Cancel
login-forgot = Forgot your password?
login-reassurance = Your password is yours alone. Nobody will ask you for it, by phone or by message.
login-notice-confirm = You are already signed in. To continue, please confirm it is you.
login-notice-session-ended = Your session has ended. Sign in again to carry on.
# Never say which half was wrong.
login-refused = Incorrect login or password. Check both, then try again.
# $count: minutes.
login-try-later = { $count ->
    [one] Too many attempts in a row. Try again in { $count } minute.
   *[other] Too many attempts in a row. Try again in { $count } minutes.
}
login-stale = This page had been open for too long. Please type your details again.
login-no-room = Your account is already open on as many devices as allowed. Sign out of one, then try again.
login-no-account = No account yet?
login-sign-up = Create an account
login-unavailable = Signing in is not possible right now. Try again in a few minutes.

# The front page of the server.
login-home-title = Your training account
login-home-lead = One account for all your training portals. Keep it to yourself: it is personal.
login-home-sign-in = Sign in
login-home-portal = It is easiest to start from your portal: it will bring you here when needed.
login-home-account = See my account
login-home-demo = This server is a demonstration.
login-home-demo-link = See the people and portals to try
login-not-you = Not you?
