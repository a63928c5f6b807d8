# Allowing a portal. "$scope" is a technical name.
oidc-consent-title = Allow access
oidc-consent-asks = asks to:
oidc-consent-not-you = Not you?
oidc-consent-withdraw = You can change your mind at any time.
oidc-allow = Allow
oidc-deny = Refuse
oidc-scope-openid = Recognise you
oidc-scope-openid-detail = A number that stands for your account, without your name.
oidc-scope-profile = Know who you are
oidc-scope-profile-detail = Your name and the general information of your profile.
oidc-scope-email = Know your e-mail address
oidc-scope-email-detail = Your address, and whether it was verified.
oidc-scope-phone = Know your phone number
oidc-scope-phone-detail = Your number, and whether it was verified.
oidc-scope-address = Know your postal address
oidc-scope-address-detail = The address in your profile.
oidc-scope-organization = Know which organization you act for
oidc-scope-organization-detail = Its name, its type, its SIRET number and your rights on this portal.
oidc-scope-offline = Keep this access while you are away
oidc-scope-offline-detail = Even when you are not at the screen, until you withdraw it.
oidc-scope-other = Access: { $scope }

# Errors.
oidc-error-title = Something went wrong
oidc-error-start-again = Go back to your portal and start again. If it happens again, give the reference below to support.
oidc-error-tell-portal = This is not your doing: the portal you came from sent an incorrect request. Give the reference below to its support.
oidc-error-try-later = The problem is on our side. Try again in a few minutes. If it lasts, give the reference below to support.
oidc-error-technical = For support
oidc-error-reference = Reference:
oidc-closed-title = This portal is closed
oidc-closed-lead = Access to { $name } is closed.
oidc-stale-title = This page is no longer valid
oidc-stale-lead = It was left open for too long, or you finished in another tab.
oidc-stale-advice = Go back to your portal and start again: it only takes a moment.
oidc-stale-advice-unknown = Open the portal you came from again and start over: it only takes a moment.

# Signing out.
oidc-logout-title = Sign out
oidc-logout-question = Do you want to sign out of all your portals?
oidc-logout-asked-by = You come from { $name }. Do you want to sign out of all your portals?
oidc-logout-confirm = Sign me out
oidc-logout-stay = Stay signed in
oidc-logout-shared-computer = On a shared computer, always sign out before you leave.
oidc-logged-out-title = Signed out
oidc-logged-out-lead = Your session is closed. You can leave this page.
oidc-signing-out-title = Signing out
oidc-signing-out-lead = We are telling your other portals. The rest follows by itself in two seconds.
oidc-form-post-title = Back to your portal
oidc-form-post-lead = Press “Continue” to go back.

# A device without a keyboard (television, kiosk).
oidc-device-title = Connect a device
oidc-device-lead = Your device shows a code. Copy it here.
oidc-device-code = Code shown
oidc-device-code-hint = Eight characters, such as BCDF-GHJK. Capitals and the dash do not matter.
oidc-device-unknown-code = This code is not valid. Check it, or ask your device for a new one.
oidc-device-compare = Does your device show exactly this code?
oidc-device-warning = Only allow a device that is in front of you. If somebody sent you this code, refuse.
oidc-device-allowed = Done: your device is signing in. You can close this page.
oidc-device-denied = The device was not connected. You can close this page.
