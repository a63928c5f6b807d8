# The page of the account.
account-title = My account
account-name = Name
account-login = Login
account-email = E-mail address
account-password = Change my password by a link sent to my address
account-applications = My portals and applications
account-edit-profile = Change my profile or my address
account-sign-out-device = Sign out
account-sign-out-this = Sign out { $device }
account-devices = Signed-in devices
account-this-device = This device
account-sign-out-others = Sign out all other devices
account-compromise = Is something wrong?
account-compromise-text = If somebody else may have used your account or know your password, report it: all devices and applications are signed out, and a link to choose a new password is sent to you.
account-compromise-submit = Report a compromise
