# Mails.
mail-new-sign-in-subject = New sign-in to your account
mail-new-sign-in-what = Your account has just been used on a device we did not know yet.
mail-new-sign-in-when = Date: { $when }
mail-new-sign-in-device = Device: { $device }
mail-new-sign-in-address = Network address: { $address }
mail-new-sign-in-if-you = If this was you, there is nothing to do.
mail-new-sign-in-if-not = If this was not you, tell the administrator of your organization at once.
mail-password-link-subject = Choose a new password
mail-password-link-what = Somebody, probably you, asked to choose a new password for your account. Here is the link; it works once, within 60 minutes:
mail-password-link-if-not = If it was not you, ignore this message: your current password remains valid.
mail-password-expired-subject = Your password has expired
mail-password-expired-what = Your password has expired. Choose a new one by this link; it works once, within 60 minutes:
mail-password-reissued-what = An administrator of { $organization } sends you a way to choose a new password for your account. Here is the link; it works once, within 60 minutes:
mail-password-reissued-if-not = If you did not ask for this, ignore this message: nothing changes until the link is used.
mail-password-compromised-subject = Your account is protected
mail-password-compromised-what = You reported a compromise. All your devices are signed out and the old password opens nothing. Choose a new one by this link; it works once, within 60 minutes:
mail-doubted-passkeys = { $count ->
    [one] A passkey that was added in the last 30 days was removed.
   *[other] { $count } passkeys that were added in the last 30 days were removed.
}
mail-doubted-apps = { $count ->
    [one] An authenticator app that was added in the last 30 days was removed.
   *[other] { $count } authenticator apps that were added in the last 30 days were removed.
}
mail-doubted-codes = The recovery codes that were made in the last 30 days no longer work.
mail-doubted-again = If they were yours, set them up again once you are signed in.
mail-password-compromised-elsewhere = If you used this password elsewhere, change it there too.
mail-password-changed-subject = Your password was changed
mail-password-changed-what = The password of your account has just been changed.
mail-password-changed-if-not = If it was not you, ask for a new link at this address at once, then report a compromise from your account:
mail-password-reminder-subject = Your password expires soon
mail-password-reminder-what = { $count ->
    [one] Your password expires in { $count } day.
   *[other] Your password expires in { $count } days.
}
mail-password-reminder-on = It stops working on { $date } at 00:00 (Paris time).
mail-password-reminder-how = To choose a new one now:
mail-password-suspended-subject = Your account is suspended
mail-password-suspended-what = Your password expired and was not renewed in time: your account is suspended. It comes back as soon as you choose a new password:
mail-factor-changed-subject = How you sign in has changed
mail-factor-app-added = An authenticator app has just been added to your account.
mail-factor-app-removed = An authenticator app has just been removed from your account.
mail-factor-passkey-added = A passkey has just been added to your account.
mail-factor-passkey-removed = A passkey has just been removed from your account.
mail-factor-codes-made = New recovery codes have just been made for your account. The old ones no longer work.
mail-factor-if-not = If this was not you, report a compromise from your account at once:
mail-factor-recovery-used-subject = A recovery code was used
mail-factor-recovery-used = A recovery code has just opened your account.
mail-factor-recovery-left = { $count ->
    [0] None is left: make new ones from your account.
    [one] { $count } is left.
   *[other] { $count } are left.
}
mail-factor-guessed-subject = Does somebody know your password?
mail-factor-guessed = Your password has just been typed, then several wrong codes. Your account stays closed. If this was not you, change your password.
mail-factor-removal-asked-subject = Removal of your second step asked for
mail-factor-removal-asked = Somebody who knows your password, probably you, asked to remove the second step of your account.
mail-factor-removal-from = This link will allow it from { $when }:
mail-factor-removal-if-not = If this was not you, open the link now to stop the removal, then change your password.
mail-factor-removed-subject = Your second step was removed
mail-factor-removed = The second step of your account has just been removed by the link sent to your address.
mail-factor-reset = The support team has just removed the second step of your account: app, passkeys and recovery codes.
mail-factor-reset-by-organization = An administrator of { $organization } has just removed the second step of your account: app, passkeys and recovery codes.
mail-factor-reset-next = Sign in with your password to set up another. If you did not ask for this, report it at once by the link at the end of this message.
mail-dpo-compromise-subject = Account compromise reported
mail-dpo-compromise-what = Somebody reports that another person may have used their account or know their password.
mail-dpo-compromise-person = Person: { $name }
mail-dpo-compromise-organization = Organization: { $name }
mail-dpo-compromise-done = Their sessions and tokens were closed, their password taken away, and a link to choose another was sent to them.
mail-dpo-kill-switch-subject = Every access of an organization was closed
mail-dpo-kill-switch-what = An organization closed every access after an incident: { $name }
mail-dpo-kill-switch-people = Accounts concerned: { $count }
mail-dpo-address-restored-subject = Change of address taken back by the owner of the account
mail-dpo-address-restored-what = Somebody took a change of the address of their account back: another person may have asked for it.
mail-dpo-report-subject = Incident reported by an organization
mail-dpo-report-what = A security flaw or a misuse of credentials is reported by { $person }.
mail-dpo-report-description = Description:
mail-dpo-queue = The incident waits in the queue of the data protection officer: { $incident }
mail-dpo-unappointed = No data protection officer is appointed or has an address: this message goes to the operators instead.
