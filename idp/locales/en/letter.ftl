# Mails about the account.
letter-invitation-subject = Your account is waiting for you
letter-invitation-what = An account has been prepared for you.
letter-invitation-what-from = An account has been prepared for you by { $name }.
letter-invitation-login = Your username: { $login }
letter-invitation-link = { $count ->
    [one] To activate it and choose your password, open this link. It works once, for { $count } day:
   *[other] To activate it and choose your password, open this link. It works once, for { $count } days:
}
letter-invitation-personal = This account is personal: pass neither this link nor your password on to anybody.
letter-sign-up-subject = Confirm your address
letter-sign-up-what = Somebody, probably you, asked for an account with this address. To confirm it and choose your password, open this link. It works once, for 24 hours:
letter-sign-up-if-not = If it was not you, ignore this message: no account will be created.
letter-known-subject = You already have an account
letter-known-what = Somebody, probably you, asked for an account with this address. You already have one: there is nothing to create.
letter-known-how = If you no longer know your password, ask for a link here:
letter-known-if-not = If it was not you, ignore this message: nothing has changed.
letter-new-email-subject = Confirm your new address
letter-new-email-what = You asked for this address to become that of your account. To confirm it, open this link. It works once, for 60 minutes:
letter-new-email-if-not = If it was not you, ignore this message: nothing will change.
letter-email-changed-subject = The address of your account has changed
letter-email-changed-what = This address is no longer that of your account: another one has just been confirmed. Messages will be sent there from now on.
letter-email-changed-if-not = If it was not you, take your account back by this link, valid for 7 days: the former address is restored, all devices are signed out and you choose a new password.
letter-email-taken-back-subject = Your change of address was taken back
letter-email-taken-back-what = The change of your account’s address was taken back from the former address. Messages will no longer arrive here, and all devices are signed out.
letter-email-taken-back-if-not = If you have nothing to do with it, turn to the administrator of your organization.
letter-address-refused-subject = An address of your organization no longer takes our messages
letter-address-refused-what = Messages sent to { $address } are refused: the address of { $name } (sign-in name: { $login }) is wrong or no longer exists. It no longer counts as verified.
letter-address-refused-how = Check the address with this person. If they already use their account, they can change it in their profile. If they have not activated it yet, ask for another invitation to the right address.
letter-address-refused-once = We write to you about this only once.
letter-session-ended-subject = One of your devices was signed out
letter-session-ended-what = { $count ->
    [one] Your account can be open on { $count } device at a time. A new sign-in has just closed the oldest one.
   *[other] Your account can be open on { $count } devices at a time. A new sign-in has just closed the oldest one.
}
letter-session-ended-device = Device signed out: { $device }
letter-session-ended-if-not = If the new sign-in was not yours, open your account and report a compromise.

letter-administrator-changed-subject = { $organization }: administrators changed
letter-administrator-changed-what = The administrators of { $organization } have changed. You receive this message as the organization’s signatory.
letter-administrator-changed-person = Person concerned: { $person }
letter-administrator-changed-if-not = If this change is not intended, tell us without delay by answering this message.
letter-succession-requested-subject = { $organization }: an administrator is to be replaced
letter-succession-requested-what = It was asked that an administrator of { $organization } be replaced; somebody else has yet to approve it. You receive this message as the organization’s signatory.
letter-succession-done-subject = { $organization }: an administrator was replaced
letter-succession-done-what = An administrator of { $organization } was replaced. You receive this message as the organization’s signatory.
letter-succession-who = Leaving: { $leaving }. Taking over: { $successor }.
letter-override-requested-subject = { $organization }: written request about an administrator
letter-override-requested-what = We recorded a written request of { $organization }, signed by { $signatory }, about an administrator. A second person verifies it before it is carried out.
letter-override-done-subject = { $organization }: written request carried out
letter-override-done-what = The written request of { $organization }, signed by { $signatory }, was carried out.
letter-review-opened-subject = { $organization }: review of access due by { $date }
letter-review-opened-what = A review of access to { $organization } is open. Say for each member whether they still need their access, then sign the review off by { $date }.
letter-review-reminder-subject = { $organization }: the review of access ends on { $date }
letter-review-reminder-what = The review of access to { $organization } is to be signed off by { $date }.
letter-review-overdue-subject = { $organization }: the review of access is overdue
letter-review-overdue-what = The review of access to { $organization } was to be signed off by { $date }. It stays open.
letter-review-left = Members yet to be looked at: { $count }.
letter-membership-ends-subject = { $organization }: the access of { $person } is about to end
letter-membership-ends-what = { $person } is a member of { $organization } until the end of { $date } (days left: { $days }). At 00:00 of the day after, their access on behalf of { $organization } ends.
letter-membership-ends-todo = If this person is to keep their access, give them another last day. Otherwise there is nothing to do.
letter-offer-subject = { $organization } invites you to join
letter-offer-what = { $organization } invites you to join with the account you already have.
letter-offer-link = { $count ->
    [one] Sign in to accept or decline, within a day:
   *[other] Sign in to accept or decline, within { $count } days:
}
letter-offer-if-not = If you do not know this organization, decline: it will learn nothing about you.
letter-key-reminder-subject = The API key “{ $key }” is about to end
letter-key-reminder-what = The API key “{ $key }” of { $organization } stops working at the end of { $date } (days left: { $days }).
letter-key-reminder-todo = Issue a new key now: two keys may be live at the same time while you replace it in your software. Then revoke the old one.
letter-key-rotate-subject = The API key “{ $key }” should be replaced
letter-key-rotate-what = The person who issued the API key “{ $key }” no longer belongs to { $organization }. The key goes on working, but that person may have read it.
letter-key-rotate-todo = Issue a new key, replace the old one in your software, then revoke it.
letter-key-replace-subject = The API key “{ $key }” was revoked
letter-key-replace-what = The API key “{ $key }” of { $organization } may have become known to others. It is revoked, and so are the tokens obtained with it.
letter-key-replace-todo = Issue a new key and replace the old one in your software: its calls are refused until then.
letter-webhook-disabled-subject = Webhook to { $host } switched off
letter-webhook-disabled-gone = The receiver at { $host } answered that it wants no more events (410): the webhook was switched off.
letter-webhook-disabled-silent = The receiver at { $host } has taken no event for three days: the webhook was switched off.
letter-webhook-disabled-organization = Organization: { $organization }
letter-webhook-disabled-webhook = Webhook: { $webhook }
letter-webhook-disabled-then = Once the receiver answers again, make the webhook active. What it missed can be read from the events feed, or delivered again one by one.
letter-members-imported-subject = { $organization }: members imported
letter-members-imported-what = People were invited into { $organization } from a file: { $count }. You receive this message as the organization’s signatory.
letter-members-exported-subject = { $organization }: list of members exported
letter-members-exported-what = The list of members of { $organization } was exported. You receive this message as the organization’s signatory.
letter-members-by = By: { $person }
