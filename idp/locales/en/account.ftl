# The page of the account.
account-title = My account
account-name = Name
account-login = Login
account-email = E-mail address
account-password = Change the password
account-devices = Signed-in devices
account-this-device = This device
account-sign-out-others = Sign out all other devices
account-compromise = Is something wrong?
account-compromise-text = If somebody else may have used your account or know your password, report it: all devices and applications are signed out, and a link to choose a new password is sent to you.
account-compromise-submit = Report a compromise

# The portals and applications of the account.
account-applications = My portals and applications
applications-title = My portals and applications
applications-portals = My portals
applications-others = Applications I let in
applications-lead = These applications are not ours: you gave them access. If you take it back, they learn nothing more about you and have to ask you again.
applications-none = You have not let in any application.
applications-since = Allowed on
applications-used = Last used
applications-open = Open { $name }
applications-revoke = Take access back
applications-done = Access was taken back. The application can no longer see your account.
applications-back = Back to my account
account-compromise-title = Report a compromise
account-compromise-else = If it was you, there is nothing to do: close this page.
