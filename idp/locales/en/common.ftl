# What every page shares.
common-skip = Skip to content
common-languages = Language
common-navigation = Sections
common-help = Help
common-privacy = Personal data
common-legal = Legal notice
common-accessibility = Accessibility
common-pagination = Pages
common-previous = Previous
common-next = Next
common-continue = Continue
common-sign-out = Sign out
common-signed-in-as = Signed in as { $name }
# $name: the name of a portal.
common-back-to = Return to { $name }
common-client-links = { $name }’s commitments:
common-client-policy = Privacy policy
common-client-tos = Terms of use
# Plain-text mails.
common-mail-hello = Hello,
common-mail-sign-off = Kind regards,
common-mail-no-password = We will never ask for your password, by e-mail or by phone.
common-mail-help = Help: { $href }
common-mail-privacy = Personal data: { $href }
common-mail-report = Was it not you? Report it by this link, which works once: everything will be signed out.
